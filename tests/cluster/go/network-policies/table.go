package main

import (
	"maps"
	"slices"
	"strings"
)

// table remembers what is in the kernel.
type table struct {
	last   string
	hooked bool
	known  chains
}

// next is the input of iptables-restore that leads to the wanted chains; empty when they are there already. The table
// `mangle` is asked after addresses of Services were replaced by those of pods, and before kube-proxy accepts anything.
func (t *table) next(wanted chains) string {
	var body strings.Builder
	names := slices.Sorted(maps.Keys(wanted))
	for _, name := range names {
		body.WriteString(":" + name + " - [0:0]\n")
	}
	for _, name := range names {
		for _, rule := range wanted[name] {
			body.WriteString("-A " + name + " " + rule + "\n")
		}
	}
	if body.String() == t.last {
		return ""
	}
	t.last = body.String()
	var text strings.Builder
	text.WriteString("*mangle\n")
	var gone []string
	for _, name := range slices.Sorted(maps.Keys(t.known)) {
		if _, ok := wanted[name]; !ok {
			gone = append(gone, name)
			text.WriteString(":" + name + " - [0:0]\n")
		}
	}
	text.WriteString(body.String())
	for _, name := range gone {
		text.WriteString("-X " + name + "\n")
	}
	if !t.hooked {
		text.WriteString("-I FORWARD -j " + entry + "\n-I INPUT -j " + entry + "\n")
		t.hooked = true
	}
	text.WriteString("COMMIT\n")
	t.known = wanted
	return text.String()
}
