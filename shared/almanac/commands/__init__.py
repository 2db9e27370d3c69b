"""What the commands of `almanac` share: arguments, progress, errors."""
