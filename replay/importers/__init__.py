"""Traffic that others recorded, read record by record: .gor, HAR, mitmproxy flows, application logs, our own format."""
