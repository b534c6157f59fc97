"""What keeps people out of captures: identities, personal data in text, credentials, reference recordings."""
