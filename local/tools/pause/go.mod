module observability.local/tools/pause

go 1.26
