package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"

	// Where containerd looks for the whole reference on import.
	refKey    = "io.containerd.image.name"
	inputsKey = "test.pgherd.inputs"
)

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type layout struct {
	dir   string
	index index
}

func openLayout(dir string) (*layout, error) {
	l := &layout{dir: dir, index: index{SchemaVersion: 2, MediaType: indexType}}
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if os.IsNotExist(err) {
		return l, os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755)
	} else if err != nil {
		return nil, err
	}
	return l, json.Unmarshal(data, &l.index)
}

// writeFile makes a file whole or not at all.
func writeFile(name string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (l *layout) blob(digest string) string {
	return filepath.Join(l.dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

// put stores one blob under its digest.
func (l *layout) put(mediaType string, r io.Reader) (descriptor, error) {
	d := descriptor{MediaType: mediaType}
	temp := filepath.Join(l.dir, "blobs", "sha256", ".new")
	err := writeFile(temp, func(w io.Writer) error {
		sum := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, sum), r)
		d.Digest, d.Size = "sha256:"+hex.EncodeToString(sum.Sum(nil)), n
		return err
	})
	if err != nil {
		return d, err
	}
	return d, os.Rename(temp, l.blob(d.Digest))
}

func (l *layout) putJSON(mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	return l.put(mediaType, strings.NewReader(string(data)))
}

func (l *layout) read(digest string, v any) error {
	data, err := os.ReadFile(l.blob(digest))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

func (l *layout) find(ref string) (descriptor, error) {
	for _, d := range l.index.Manifests {
		if d.Annotations[refKey] == ref {
			return d, nil
		}
	}
	return descriptor{}, fmt.Errorf("no image %s in %s", ref, l.dir)
}

// save puts an image in the index, in place of one of the same name.
func (l *layout) save(d descriptor) error {
	l.index.Manifests = slices.DeleteFunc(l.index.Manifests, func(o descriptor) bool {
		return o.Annotations[refKey] == d.Annotations[refKey]
	})
	l.index.Manifests = append(l.index.Manifests, d)
	slices.SortFunc(l.index.Manifests, func(a, b descriptor) int {
		return strings.Compare(a.Annotations[refKey], b.Annotations[refKey])
	})
	for name, v := range map[string]any{"oci-layout": map[string]string{"imageLayoutVersion": "1.0.0"}, "index.json": l.index} {
		err := writeFile(filepath.Join(l.dir, name), func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *layout) list(w io.Writer) {
	for _, d := range l.index.Manifests {
		fmt.Fprintln(w, d.Annotations[refKey], d.Digest, d.Annotations[inputsKey])
	}
}

// digests lists the blobs of images, each once.
func (l *layout) digests(images []descriptor) ([]string, error) {
	var all []string
	add := func(d string) {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	for _, image := range images {
		var m manifest
		if err := l.read(image.Digest, &m); err != nil {
			return nil, err
		}
		add(image.Digest)
		add(m.Config.Digest)
		for _, layer := range m.Layers {
			add(layer.Digest)
		}
	}
	return all, nil
}

func (l *layout) prune() error {
	keep, err := l.digests(l.index.Manifests)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(filepath.Join(l.dir, "blobs", "sha256"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if slices.Contains(keep, "sha256:"+f.Name()) {
			continue
		}
		if err := os.Remove(l.blob(f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// export writes the named images as one archive; shared layers are in it once.
func (l *layout) export(w io.Writer, refs []string) error {
	out := index{SchemaVersion: 2, MediaType: indexType}
	for _, ref := range refs {
		d, err := l.find(ref)
		if err != nil {
			return err
		}
		out.Manifests = append(out.Manifests, d)
	}
	digests, err := l.digests(out.Manifests)
	if err != nil {
		return err
	}
	data, err := json.Marshal(out)
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	add := func(name string, size int64, r io.Reader) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(t, r)
		return err
	}
	const version = `{"imageLayoutVersion":"1.0.0"}`
	if err := add("oci-layout", int64(len(version)), strings.NewReader(version)); err != nil {
		return err
	}
	if err := add("index.json", int64(len(data)), strings.NewReader(string(data))); err != nil {
		return err
	}
	for _, digest := range digests {
		if err := l.copyBlob(digest, add); err != nil {
			return err
		}
	}
	return t.Close()
}

func (l *layout) copyBlob(digest string, add func(string, int64, io.Reader) error) error {
	f, err := os.Open(l.blob(digest))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return add("blobs/sha256/"+strings.TrimPrefix(digest, "sha256:"), info.Size(), f)
}
