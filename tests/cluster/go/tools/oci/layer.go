package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// writeLayer makes a layer of entries, in the order given:
//
//	file:MODE:SOURCE:PATH    one file
//	tree:SOURCE:PATH         a directory with everything in it
//	dir:MODE:PATH            an empty directory
//	link:TARGET:PATH         a symbolic link
//	gone:PATH                hides a path of the layers below
//
// Everything belongs to root and carries no time, so equal entries give equal
// layers.
func writeLayer(out string, entries []string) error {
	return writeFile(out, func(w io.Writer) error {
		t := tar.NewWriter(w)
		for _, e := range entries {
			if err := addEntry(t, e); err != nil {
				return fmt.Errorf("%s: %w", e, err)
			}
		}
		return t.Close()
	})
}

func addEntry(t *tar.Writer, entry string) error {
	kind, rest, _ := strings.Cut(entry, ":")
	fields := map[string]int{"file": 3, "tree": 2, "dir": 2, "link": 2, "gone": 1}
	f := strings.Split(rest, ":")
	if n, ok := fields[kind]; !ok || n != len(f) {
		return fmt.Errorf("not an entry")
	}
	to := strings.TrimPrefix(path.Clean("/"+f[len(f)-1]), "/")
	switch kind {
	case "file":
		mode, err := strconv.ParseInt(f[0], 8, 64)
		if err != nil {
			return err
		}
		return addFile(t, f[1], to, mode)
	case "tree":
		return addTree(t, f[0], to)
	case "dir":
		mode, err := strconv.ParseInt(f[0], 8, 64)
		if err != nil {
			return err
		}
		return addHeader(t, &tar.Header{Typeflag: tar.TypeDir, Name: to + "/", Mode: mode})
	case "link":
		return addHeader(t, &tar.Header{Typeflag: tar.TypeSymlink, Name: to, Linkname: f[0], Mode: 0o777})
	default: // gone: a whiteout is an empty file with a prefix to its name
		return addHeader(t, &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(path.Dir(to), ".wh."+path.Base(to)), Mode: 0o644})
	}
}

func addHeader(t *tar.Writer, h *tar.Header) error {
	h.ModTime, h.Format = time.Unix(0, 0), tar.FormatPAX
	return t.WriteHeader(h)
}

func addFile(t *tar.Writer, from, to string, mode int64) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := addHeader(t, &tar.Header{Typeflag: tar.TypeReg, Name: to, Mode: mode, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

func addTree(t *tar.Writer, from, to string) error {
	// WalkDir goes in lexical order, which keeps the layer the same every time.
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		name := path.Join(to, filepath.ToSlash(rel))
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := int64(info.Mode().Perm())
		if info.Mode()&fs.ModeSticky != 0 {
			mode |= 0o1000
		}
		switch {
		case name == "." || name == "":
			return nil
		case d.IsDir():
			return addHeader(t, &tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode})
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return addHeader(t, &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
		case d.Type().IsRegular():
			return addFile(t, p, name, mode)
		default:
			return fmt.Errorf("%s is neither file, directory nor link", p)
		}
	})
}
