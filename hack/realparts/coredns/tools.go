//go:build tools

// Package tools pins CoreDNS, which realparts.py builds from this module.
package tools

import _ "github.com/coredns/coredns"
