# The image of every step of a compiled pipeline (docs/tfx.md), and a way to run the commands without installing anything:
#   docker build -t latent-mill .
#   docker run --rm -v "$PWD/runs:/latent-mill/runs" latent-mill all --recipe demo
FROM python:3.12-slim

# Matplotlib and Keras want a folder to write to, whoever the user is.
ENV HOME=/tmp PYTHONUNBUFFERED=1

WORKDIR /latent-mill
COPY requirements/py3.12.txt requirements/py3.12.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/py3.12.txt
COPY setup.py pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY models models
COPY components components
COPY pipeline pipeline
COPY recipes recipes
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .

ENTRYPOINT ["python", "-m", "pipeline"]
CMD ["--help"]
