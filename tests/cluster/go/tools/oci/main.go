// oci keeps images in an OCI layout directory: it builds them from layers and
// a build file, makes small layers, lists, prunes and exports. It knows no
// registry and runs nothing; what goes in decides, byte for byte, what comes
// out.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

const usage = `usage:
  oci layer OUT.tar ENTRY...                  make a layer; see layer.go for ENTRY
  oci build -layout DIR -ref REF [options] LAYER.tar...
  oci list -layout DIR                        REFERENCE DIGEST INPUTS, a line each
  oci prune -layout DIR                       remove blobs that no image uses
  oci export -layout DIR REF...               write an OCI archive to stdout`

type words []string

func (w *words) String() string     { return strings.Join(*w, " ") }
func (w *words) Set(s string) error { *w = append(*w, s); return nil }

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oci:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s", usage)
	}
	verb, rest := args[0], args[1:]
	flags := flag.NewFlagSet("oci "+verb, flag.ContinueOnError)
	dir := flags.String("layout", "", "the layout directory")
	var b buildOptions
	switch verb {
	case "layer":
		if len(rest) < 2 {
			return fmt.Errorf("%s", usage)
		}
		return writeLayer(rest[0], rest[1:])
	case "build":
		flags.StringVar(&b.ref, "ref", "", "reference of the image")
		flags.StringVar(&b.from, "from", "", "image in the layout to start from")
		flags.StringVar(&b.inputs, "inputs", "", "hash of all that went into it")
		flags.StringVar(&b.file, "containerfile", "", "build file to take USER, ENV, LABEL, ENTRYPOINT, CMD from")
		flags.Var(&b.args, "arg", "NAME=VALUE of an ARG in the build file (repeatable)")
		flags.Var(&b.env, "env", "NAME=VALUE to set on top (repeatable)")
		flags.StringVar(&b.user, "user", "", "user to set on top")
	case "list", "prune", "export":
	default:
		return fmt.Errorf("%s", usage)
	}
	if err := flags.Parse(rest); err != nil {
		return err
	}
	if *dir == "" {
		return fmt.Errorf("-layout is missing")
	}
	l, err := openLayout(*dir)
	if err != nil {
		return err
	}
	switch verb {
	case "build":
		return l.build(b, flags.Args())
	case "list":
		l.list(os.Stdout)
		return nil
	case "prune":
		return l.prune()
	default:
		return l.export(os.Stdout, flags.Args())
	}
}
