"""Smart Link client on Google Cloud: the relay between TOTVS's cloud apps and an ERP."""
