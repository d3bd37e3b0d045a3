package main

import (
	"fmt"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

func pod(namespace, name, ip string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name, p.Labels, p.Status.PodIP = namespace, name, labels.Set{"app": name}, ip
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "postgres", ContainerPort: 5432}}}}
	return p
}

func policy(t *testing.T, text string) *networkingv1.NetworkPolicy {
	t.Helper()
	p := &networkingv1.NetworkPolicy{}
	if err := yaml.UnmarshalStrict([]byte(text), p); err != nil {
		t.Fatal(err)
	}
	p.Namespace = "data"
	return p
}

func world3(policies ...*networkingv1.NetworkPolicy) world {
	return world{
		pods:       []*corev1.Pod{pod("data", "db", "10.0.0.1"), pod("data", "app", "10.0.0.2"), pod("other", "app", "10.0.0.3")},
		namespaces: map[string]labels.Set{"data": {"name": "data"}, "other": {"name": "other"}},
		policies:   policies,
	}
}

func TestNothingIsRestrictedWithoutAPolicy(t *testing.T) {
	got := rules(world3())
	if len(got) != 1 || len(got[entry]) != 1 {
		t.Fatal(got)
	}
}

func TestWhatARuleAllows(t *testing.T) {
	for _, c := range []struct{ name, spec, chain, want string }{
		{"deny", `policyTypes: [Ingress]`, "NP-IN-10-0-0-1", "-j DROP"},
		{"all", "policyTypes: [Ingress]\n  ingress: [{}]", "NP-IN-10-0-0-1", "-j RETURN;-j DROP"},
		{"pods of the namespace", "policyTypes: [Ingress]\n  ingress: [{from: [{podSelector: {matchLabels: {app: app}}}]}]",
			"NP-IN-10-0-0-1", "-s 10.0.0.2 -j RETURN;-j DROP"},
		{"all namespaces", "policyTypes: [Ingress]\n  ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: app}}}]}]",
			"NP-IN-10-0-0-1", "-s 10.0.0.2 -j RETURN;-s 10.0.0.3 -j RETURN;-j DROP"},
		{"a namespace", "policyTypes: [Ingress]\n  ingress: [{from: [{namespaceSelector: {matchLabels: {name: other}}}], ports: [{port: 1, endPort: 9}]}]",
			"NP-IN-10-0-0-1", "-s 10.0.0.3 -p tcp --dport 1:9 -j RETURN;-j DROP"},
		{"a port's name", "policyTypes: [Ingress]\n  ingress: [{ports: [{port: postgres}, {port: other}]}]",
			"NP-IN-10-0-0-1", "-p tcp --dport 5432 -j RETURN;-j DROP"},
		{"to a port's name", "policyTypes: [Egress]\n  egress: [{to: [{podSelector: {matchLabels: {app: app}}}], ports: [{port: postgres}]}]",
			"NP-OUT-10-0-0-1", "-d 10.0.0.2 -p tcp --dport 5432 -j RETURN;-j DROP"},
		{"DNS", "policyTypes: [Egress]\n  egress: [{ports: [{port: 53, protocol: UDP}, {protocol: SCTP}]}]",
			"NP-OUT-10-0-0-1", "-p sctp -j RETURN;-p udp --dport 53 -j RETURN;-j DROP"},
		{"a block", "policyTypes: [Egress]\n  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/30, except: [10.0.0.1/32]}}]}]",
			"NP-OUT-10-0-0-1", "-d 10.0.0.0/32 -j RETURN;-d 10.0.0.2/31 -j RETURN;-j DROP"},
	} {
		got := rules(world3(policy(t, "spec:\n  podSelector: {matchLabels: {app: db}}\n  "+c.spec)))
		if !reflect.DeepEqual(got[c.chain], strings.Split(c.want, ";")) || len(got) != 2 {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestPoliciesAddUp(t *testing.T) {
	deny := policy(t, "spec: {podSelector: {}, policyTypes: [Ingress, Egress]}")
	allow := policy(t, "spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{ports: [{port: 5432}]}]}")
	got := rules(world3(deny, allow))
	if want := []string{"-p tcp --dport 5432 -j RETURN", "-j DROP"}; !reflect.DeepEqual(got["NP-IN-10-0-0-1"], want) {
		t.Error(got)
	}
	if want := []string{"-j DROP"}; !reflect.DeepEqual(got["NP-OUT-10-0-0-1"], want) || !reflect.DeepEqual(got["NP-IN-10-0-0-2"], want) {
		t.Error(got)
	}
	if _, ok := got["NP-IN-10-0-0-3"]; ok {
		t.Error("a policy reached another namespace")
	}
}

func TestTheTableFollows(t *testing.T) {
	var table table
	first := table.next(chains{entry: {"-s 1.2.3.4 -j NP-IN-X"}, "NP-IN-X": {"-j DROP"}})
	if !strings.Contains(first, "-I FORWARD -j "+entry) || !strings.Contains(first, "-A NP-IN-X -j DROP") {
		t.Error(first)
	}
	if again := table.next(chains{entry: {"-s 1.2.3.4 -j NP-IN-X"}, "NP-IN-X": {"-j DROP"}}); again != "" {
		t.Error(again)
	}
	last := table.next(chains{entry: {"-j RETURN"}})
	if !strings.Contains(last, "-X NP-IN-X") || strings.Contains(last, "-I FORWARD") {
		t.Error(last)
	}
}

func TestAPodIsKnownBeforeItStarts(t *testing.T) {
	coming := &arrivals{waiting: map[types.UID]*waiter{}}
	service := httptest.NewServer(coming.serve(func() {}))
	defer service.Close()
	input := fmt.Sprintf(`{"address": %q, "prevResult": {"ips": [{"address": "10.0.0.9/24"}]}}`, service.URL)
	done := make(chan error)
	var output strings.Builder
	go func() { done <- plugin("ADD", "IgnoreUnknown=1;K8S_POD_UID=abc", strings.NewReader(input), &output) }()

	late := pod("data", "late", "")
	late.UID = "abc"
	for {
		coming.with(nil)
		coming.done()
		if got := coming.with([]*corev1.Pod{late})[0].Status.PodIP; got == "10.0.0.9" {
			break
		}
		runtime.Gosched()
	}
	select {
	case err := <-done:
		t.Fatal("it may start before its rules are in place:", err)
	default:
	}
	coming.done()
	if err := <-done; err != nil || output.String() != `{"ips": [{"address": "10.0.0.9/24"}]}` {
		t.Fatal(err, output.String())
	}
	coming.with(nil)
	if len(coming.waiting) != 0 {
		t.Fatal("it is never forgotten")
	}
}
