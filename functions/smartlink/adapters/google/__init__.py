"""The ports that Google Cloud implements, except Firestore's: Pub/Sub, Secret Manager, Storage."""
