"""Google Cloud beside Firestore: Pub/Sub, Secret Manager, Storage."""
