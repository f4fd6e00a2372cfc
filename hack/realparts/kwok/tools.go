//go:build tools

// Package tools pins kwok, which realparts.py builds from this module.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
