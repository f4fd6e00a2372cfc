module nodetide/hack/realparts/pause

go 1.26.0
