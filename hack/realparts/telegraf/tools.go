//go:build tools

// Package tools pins Telegraf, which realparts.py builds from this module.
package tools

import _ "github.com/influxdata/telegraf/cmd/telegraf"
