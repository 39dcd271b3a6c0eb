"""The same stages under TFX, Kubeflow Pipelines and Vertex AI."""
