"""Training with denoising word alignment: the task, its data and its criterion."""
