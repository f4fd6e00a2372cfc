//go:build tools

// Package tools pins Docker Compose, which realparts.py builds from this module.
package tools

import _ "github.com/docker/compose/v5/cmd"
