"""The reviewer's gate over `dvc metrics diff`."""
