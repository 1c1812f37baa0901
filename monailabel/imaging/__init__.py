"""Headers, pictures and reduced volumes of medical images: bytes of image formats, and nothing of datastores."""
