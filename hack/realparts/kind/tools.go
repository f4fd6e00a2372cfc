//go:build tools

// Package tools pins kind, which realparts.py builds from this module.
package tools

import _ "sigs.k8s.io/kind"
