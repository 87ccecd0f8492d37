"""Models as folders of weights with their config: saved, loaded, published on the Hugging Face Hub; docs/hub.md."""
