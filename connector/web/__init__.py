"""What the world reaches over HTTP: the receiver of webhooks and the unsubscribe page."""
