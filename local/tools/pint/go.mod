module observability.local/tools/pint

go 1.26.0

require github.com/cloudflare/pint v0.87.0
