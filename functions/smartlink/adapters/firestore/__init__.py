"""The ports that Google Firestore implements."""
