package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

type buildOptions struct {
	ref, from, inputs, file, user string
	args, env                     words
}

// settings is the part of an image's configuration that says how it runs.
type settings struct {
	User       string            `json:"User,omitempty"`
	Env        []string          `json:"Env,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	Cmd        []string          `json:"Cmd,omitempty"`
	WorkingDir string            `json:"WorkingDir,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

type config struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	Config       settings `json:"config"`
	RootFS       struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

func (l *layout) build(b buildOptions, layers []string) error {
	if b.ref == "" {
		return fmt.Errorf("-ref is missing")
	}
	c := config{Architecture: runtime.GOARCH, OS: "linux"}
	c.RootFS.Type = "layers"
	m := manifest{SchemaVersion: 2, MediaType: manifestType}
	if b.from != "" {
		base, err := l.find(b.from)
		if err != nil {
			return err
		}
		if err := l.read(base.Digest, &m); err != nil {
			return err
		}
		if err := l.read(m.Config.Digest, &c); err != nil {
			return err
		}
	}
	if b.file != "" {
		if err := c.Config.follow(b.file, b.args); err != nil {
			return err
		}
	}
	for _, e := range b.env {
		c.Config.setEnv(e)
	}
	if b.user != "" {
		c.Config.User = b.user
	}
	for _, name := range layers {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		d, err := l.put(layerType, f)
		f.Close()
		if err != nil {
			return err
		}
		m.Layers = append(m.Layers, d)
		// A layer that isn't compressed is its own diff.
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, d.Digest)
	}
	var err error
	if m.Config, err = l.putJSON(configType, c); err != nil {
		return err
	}
	d, err := l.putJSON(manifestType, m)
	if err != nil {
		return err
	}
	d.Annotations = map[string]string{refKey: b.ref, inputsKey: b.inputs}
	return l.save(d)
}

func (s *settings) setEnv(e string) {
	name, _, _ := strings.Cut(e, "=")
	s.Env = slices.DeleteFunc(s.Env, func(o string) bool { return strings.HasPrefix(o, name+"=") })
	s.Env = append(s.Env, e)
}

var (
	pair     = regexp.MustCompile(`([\w.]+)=("[^"]*"|\S*)`)
	variable = regexp.MustCompile(`\$\{(\w+)\}`)
)

// follow takes from the last stage of a build file what it says about running
// the image, so that the file is the only place where that is written. It
// knows the plain form that our build files keep to and refuses what it
// doesn't know.
func (s *settings) follow(file string, args []string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	given, known := map[string]string{}, map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		given[name] = value
	}
	text := strings.ReplaceAll(string(data), "\\\n", " ")
	for _, line := range strings.Split(text, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = variable.ReplaceAllStringFunc(strings.TrimSpace(rest), func(v string) string {
			return known[v[2:len(v)-1]]
		})
		switch word {
		case "FROM":
			*s = settings{}
		case "ARG":
			name, value, _ := strings.Cut(rest, "=")
			if v, ok := given[name]; ok {
				value = v
			} else if value == "" {
				value = known[name] // declared before the first FROM
			}
			known[name] = value
		case "USER":
			s.User = rest
		case "WORKDIR":
			s.WorkingDir = rest
		case "ENV", "LABEL":
			for _, p := range pair.FindAllStringSubmatch(rest, -1) {
				value := strings.Trim(p[2], `"`)
				if word == "ENV" {
					s.setEnv(p[1] + "=" + value)
				} else if s.Labels == nil {
					s.Labels = map[string]string{p[1]: value}
				} else {
					s.Labels[p[1]] = value
				}
			}
		case "ENTRYPOINT":
			err = json.Unmarshal([]byte(rest), &s.Entrypoint)
		case "CMD":
			err = json.Unmarshal([]byte(rest), &s.Cmd)
		case "RUN", "COPY", "#", "":
		default:
			if !strings.HasPrefix(word, "#") {
				err = fmt.Errorf("unknown instruction %q", word)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", file, word, err)
		}
	}
	return nil
}
