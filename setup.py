"""The packages, the entry point and the extras; also what Beam sends to remote workers (``--setup_file``)."""

from setuptools import find_packages, setup

setup(
    name="latent-mill",
    version="0.1.0",
    description="Raw images in, a generator and synthetic image sets out.",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["schemas*", "models*", "components*", "pipeline*"]),
    package_data={"components.evaluate": ["*.html.j2"]},
    entry_points={"console_scripts": ["latent-mill=pipeline.__main__:main"]},
    # Each has its reason in docs/dependencies.md.
    install_requires=[
        "apache-beam>=2.77",
        "google-crc32c",
        "jinja2",
        "keras>=3.15.1",
        "keras-tuner>=1.4.8",
        "matplotlib",
        "numpy",
        "pillow",
        "protobuf",
        "pyarrow",
        "pydantic>=2",
        "pyyaml",
        "rich",
        "scikit-learn",
        "scipy",
        "tensorboard",
        "tensorflow>=2.19,<2.22",
        "tensorflow-metadata",
        "threadpoolctl",
        "typer",
    ],
    extras_require={
        "demo": ["mlxtend"],
        "aws": ["apache-beam[aws]>=2.77"],
        "gcp": ["apache-beam[gcp]>=2.77"],
        "gpu": ["tensorflow[and-cuda]>=2.19,<2.22"],
        "dev": [
            "hypothesis",
            "import-linter",
            "mypy",
            "pytest",
            "ruff",
            "setuptools",
            "types-protobuf",
            "types-PyYAML",
            "uv",
        ],
    },
)
