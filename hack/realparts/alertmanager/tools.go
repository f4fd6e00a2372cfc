//go:build tools

// Package tools pins Alertmanager, which realparts.py builds from this module.
package tools

import (
	_ "github.com/prometheus/alertmanager/cmd/alertmanager"
	_ "github.com/prometheus/alertmanager/cmd/amtool"
)
