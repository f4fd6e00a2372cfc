//go:build tools

// Package tools pins influxd, which realparts.py builds from this module.
package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
