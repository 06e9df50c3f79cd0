"""Google Firestore: what is stored, and how."""
