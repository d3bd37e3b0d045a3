package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"
)

// As the last plugin of a pod's network, the program tells itself, where it runs as a service, which address a pod has
// got, and waits until the rules for it are in place. A pod's status has the address only when the pod already runs.

const cniVersion = "0.4.0"

// configuration is what the plugin is given on its input.
type configuration struct {
	Address    string          `json:"address"`
	PrevResult json.RawMessage `json:"prevResult"`
}

// arrival is a pod that is about to start.
type arrival struct {
	UID     string `json:"uid"`
	Address string `json:"address"`
}

// plugin does what CNI asks for, and says whether it worked in CNI's words.
func plugin(command, arguments string, input io.Reader, output io.Writer) error {
	switch command {
	case "VERSION":
		_, err := fmt.Fprintf(output, `{"cniVersion": %q, "supportedVersions": [%q]}`, cniVersion, cniVersion)
		return err
	case "ADD":
		var given configuration
		if err := json.NewDecoder(input).Decode(&given); err != nil {
			return err
		}
		pod, err := arriving(arguments, given.PrevResult)
		if err != nil {
			return err
		}
		if err := announce(given.Address, pod); err != nil {
			return err
		}
		_, err = output.Write(given.PrevResult)
		return err
	default:
		return nil
	}
}

func arriving(arguments string, result []byte) (arrival, error) {
	var found arrival
	for _, pair := range strings.Split(arguments, ";") {
		if uid, ok := strings.CutPrefix(pair, "K8S_POD_UID="); ok {
			found.UID = uid
		}
	}
	var parsed struct {
		IPs []struct {
			Address netip.Prefix `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal(result, &parsed); err != nil {
		return found, err
	}
	if found.UID == "" || len(parsed.IPs) != 1 {
		return found, fmt.Errorf("no pod, or not one address: %s, %s", arguments, result)
	}
	found.Address = parsed.IPs[0].Address.Addr().String()
	return found, nil
}

func announce(service string, pod arrival) error {
	body, err := json.Marshal(pod)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Post(service, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s: %s", service, response.Status, said)
	}
	return nil
}

// runPlugin is what the program does when a container runtime calls it.
func runPlugin(command string) {
	if err := plugin(command, os.Getenv("CNI_ARGS"), os.Stdin, os.Stdout); err != nil {
		json.NewEncoder(os.Stdout).Encode(map[string]any{"cniVersion": cniVersion, "code": 11, "msg": err.Error()})
		os.Exit(1)
	}
}
