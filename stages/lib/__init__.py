"""The libraries that the stages share."""
