package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func names(t *testing.T, archive []byte) []string {
	t.Helper()
	var all []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, h.Name)
	}
}

func TestLayerEntries(t *testing.T) {
	source := write(t, "program", "text")
	out := filepath.Join(t.TempDir(), "layer.tar")
	entries := []string{"file:755:" + source + ":/bin/program", "link:program:/bin/other", "dir:1777:/tmp", "gone:/etc/secret"}
	if err := writeLayer(out, entries); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(out)
	want := []string{"bin/program", "bin/other", "tmp/", "etc/.wh.secret"}
	if got := names(t, first); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// A later time, the same bytes.
	if err := os.Chtimes(source, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	if err := writeLayer(out, entries); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(out); !bytes.Equal(first, again) {
		t.Error("the same entries gave another layer")
	}
	if err := writeLayer(out, []string{"fil:755:a:b"}); err == nil {
		t.Error("an entry of no known kind was taken")
	}
}

func TestBuildFile(t *testing.T) {
	file := write(t, "Containerfile", `
ARG SUITE=stable
ARG MAJOR=1
FROM builder AS build
USER 1
ENTRYPOINT ["/never"]
FROM debian:${SUITE}
ARG MAJOR
ARG OTHER=x
# ENV COMMENT=1
RUN one \
 && two
ENV PATH=/opt/${MAJOR}/bin:/bin \
    LANG=C.UTF-8
LABEL org.example.title="Thing ${MAJOR} ${OTHER}"
USER 999:999
CMD ["a", "b"]
`)
	var s settings
	if err := s.follow(file, []string{"MAJOR=17"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"PATH=/opt/17/bin:/bin", "LANG=C.UTF-8"}; !slices.Equal(s.Env, want) {
		t.Errorf("Env %q, want %q", s.Env, want)
	}
	if s.User != "999:999" || len(s.Entrypoint) != 0 || !slices.Equal(s.Cmd, []string{"a", "b"}) {
		t.Errorf("settings of another stage: %+v", s)
	}
	if got := s.Labels["org.example.title"]; got != "Thing 17 x" {
		t.Errorf("label %q", got)
	}
	if err := s.follow(write(t, "Containerfile", "VOLUME /data\n"), nil); err == nil {
		t.Error("an instruction was ignored silently")
	}
}

func TestVariantSharesLayersAndPruneKeepsThem(t *testing.T) {
	l, err := openLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(l.build(buildOptions{ref: "x/base:1", user: "999"}, []string{write(t, "a", "layer a")}))
	must(l.build(buildOptions{ref: "x/more:1", from: "x/base:1", user: "4321", env: words{"A=1"}}, []string{write(t, "b", "layer b")}))
	must(l.build(buildOptions{ref: "x/gone:1"}, []string{write(t, "c", "layer c")}))
	must(l.build(buildOptions{ref: "x/gone:1"}, []string{write(t, "d", "layer d")}))
	must(l.prune())

	var archive bytes.Buffer
	must(l.export(&archive, []string{"x/base:1", "x/more:1"}))
	// Two files of the layout, two images of a manifest and a configuration each, two layers.
	if got := names(t, archive.Bytes()); len(got) != 2+2*2+2 {
		t.Errorf("exported %q", got)
	}
	blobs, _ := os.ReadDir(filepath.Join(l.dir, "blobs", "sha256"))
	if len(blobs) != 2*2+2+3 {
		t.Errorf("%d blobs are left", len(blobs))
	}
	var out strings.Builder
	l.list(&out)
	if strings.Count(out.String(), "x/gone:1") != 1 {
		t.Errorf("a name is there twice:\n%s", out.String())
	}
	if err := l.export(io.Discard, []string{"x/none:1"}); err == nil {
		t.Error("an unknown image was exported")
	}
}
