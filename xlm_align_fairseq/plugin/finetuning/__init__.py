"""Fine-tuning on the text of a task: the tags of words."""
