"""Who gets in: every kind of caller at a real node's door, by real tools, beside what the configuration says."""
