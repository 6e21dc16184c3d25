"""Session descriptions: offers read, answers written (RFC 8866, RFC 8829, RFC 9429). Pure."""
