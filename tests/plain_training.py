"""Parameters of a training of all epochs on all rows, without a decay of the weights."""

ALL_EPOCHS = {"early_stopping": False, "weight_decay": 0.0}
