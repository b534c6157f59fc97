"""What must happen to a request before it may touch a disk, for whoever records one: an importer or the gateway."""
