package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// world is what the rules depend on.
type world struct {
	pods       []*corev1.Pod
	namespaces map[string]labels.Set
	policies   []*networkingv1.NetworkPolicy
}

// chains are rules by the name of their chain, without the chain's name in front.
type chains map[string][]string

// entry is the chain that all traffic of pods passes.
const entry = "NETWORK-POLICIES"

// direction is one of the two that a policy restricts, as seen from its pods.
type direction struct {
	prefix  string // of chains
	subject string // the address of the policy's pod
	peer    string // the address of the other side
}

var (
	ingress = direction{"NP-IN-", "-d", "-s"}
	egress  = direction{"NP-OUT-", "-s", "-d"}
)

// rules: each pod that a policy selects has a chain for each direction that is
// restricted. What is allowed returns from it, to be asked about the other side's
// chain; the rest ends in it.
func rules(w world) chains {
	all := chains{entry: {"-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"}}
	pods := slices.DeleteFunc(slices.Clone(w.pods), func(p *corev1.Pod) bool { return !restrictable(p) })
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return cmp.Compare(a.Status.PodIP, b.Status.PodIP) })
	for _, pod := range pods {
		for _, way := range []direction{egress, ingress} {
			allowed, isolated := w.allowed(pods, pod, way)
			if !isolated {
				continue
			}
			chain := way.prefix + strings.ReplaceAll(pod.Status.PodIP, ".", "-")
			// A pod always reaches itself, also by way of a Service.
			all[entry] = append(all[entry], fmt.Sprintf("%s %s ! %s %s -j %s", way.subject, pod.Status.PodIP, way.peer, pod.Status.PodIP, chain))
			slices.Sort(allowed)
			for _, match := range slices.Compact(allowed) {
				all[chain] = append(all[chain], strings.TrimSpace(match+" -j RETURN"))
			}
			all[chain] = append(all[chain], "-j DROP")
		}
	}
	return all
}

// restrictable: a pod with an address of its own, which it still has.
func restrictable(p *corev1.Pod) bool {
	return p.Status.PodIP != "" && !p.Spec.HostNetwork && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// allowed: matches of what a pod may receive or send, and whether it is restricted at all.
func (w world) allowed(pods []*corev1.Pod, pod *corev1.Pod, way direction) (matches []string, isolated bool) {
	for _, policy := range w.policies {
		if policy.Namespace != pod.Namespace || !selects(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		if way == ingress && slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			isolated = true
			for _, rule := range policy.Spec.Ingress {
				matches = append(matches, w.matches(pods, pod, policy.Namespace, way, rule.From, rule.Ports)...)
			}
		}
		if way == egress && slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			isolated = true
			for _, rule := range policy.Spec.Egress {
				matches = append(matches, w.matches(pods, pod, policy.Namespace, way, rule.To, rule.Ports)...)
			}
		}
	}
	return matches, isolated
}

// matches of one rule of a policy: each of its peers with each of its ports.
func (w world) matches(pods []*corev1.Pod, pod *corev1.Pod, namespace string, way direction, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) []string {
	// A port's name means the port of the pod that receives.
	var found []string
	add := func(address string, receiver *corev1.Pod) {
		if way == ingress {
			receiver = pod
		}
		if address != "" {
			address = way.peer + " " + address
		}
		for _, port := range portMatches(ports, receiver) {
			found = append(found, strings.TrimSpace(address+" "+port))
		}
	}
	if len(peers) == 0 {
		add("", nil)
		if way == egress && slices.ContainsFunc(ports, named) {
			for _, other := range pods {
				add(other.Status.PodIP, other)
			}
		}
	}
	for _, peer := range peers {
		if peer.IPBlock != nil {
			for _, prefix := range without(peer.IPBlock.CIDR, peer.IPBlock.Except) {
				add(prefix, nil)
			}
			continue
		}
		for _, other := range pods {
			if w.isPeer(peer, namespace, other) {
				add(other.Status.PodIP, other)
			}
		}
	}
	return found
}

func (w world) isPeer(peer networkingv1.NetworkPolicyPeer, namespace string, pod *corev1.Pod) bool {
	if peer.NamespaceSelector == nil {
		return pod.Namespace == namespace && selects(peer.PodSelector, pod.Labels)
	}
	return selects(peer.NamespaceSelector, w.namespaces[pod.Namespace]) && (peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels))
}

// selects: the API server lets no selector through that can't be read.
func selects(selector *metav1.LabelSelector, set labels.Set) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}

func named(port networkingv1.NetworkPolicyPort) bool {
	return port.Port != nil && port.Port.Type == intstr.String
}

// portMatches: none are all ports. A name that the receiver doesn't have matches nothing.
func portMatches(ports []networkingv1.NetworkPolicyPort, receiver *corev1.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var found []string
	for _, port := range ports {
		protocol := corev1.ProtocolTCP
		if port.Protocol != nil {
			protocol = *port.Protocol
		}
		match := "-p " + strings.ToLower(string(protocol))
		switch {
		case port.Port == nil:
			found = append(found, match)
		case named(port):
			for _, number := range numbers(receiver, port.Port.StrVal, protocol) {
				found = append(found, fmt.Sprintf("%s --dport %d", match, number))
			}
		case port.EndPort != nil:
			found = append(found, fmt.Sprintf("%s --dport %d:%d", match, port.Port.IntVal, *port.EndPort))
		default:
			found = append(found, fmt.Sprintf("%s --dport %d", match, port.Port.IntVal))
		}
	}
	return found
}

func numbers(pod *corev1.Pod, name string, protocol corev1.Protocol) (found []int32) {
	if pod == nil {
		return nil
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name && cmp.Or(port.Protocol, corev1.ProtocolTCP) == protocol {
				found = append(found, port.ContainerPort)
			}
		}
	}
	return found
}

// without cuts networks out of a network. What isn't of IPv4 is of no pod here.
func without(cidr string, except []string) []string {
	whole, err := netip.ParsePrefix(cidr)
	if err != nil || !whole.Addr().Is4() {
		return nil
	}
	left := []netip.Prefix{whole.Masked()}
	for _, text := range except {
		hole, err := netip.ParsePrefix(text)
		if err != nil {
			continue
		}
		var next []netip.Prefix
		for _, prefix := range left {
			next = append(next, cut(prefix, hole.Masked())...)
		}
		left = next
	}
	var found []string
	for _, prefix := range left {
		found = append(found, prefix.String())
	}
	return found
}

func cut(prefix, hole netip.Prefix) []netip.Prefix {
	switch {
	case !prefix.Overlaps(hole):
		return []netip.Prefix{prefix}
	case hole.Bits() <= prefix.Bits():
		return nil
	}
	low := netip.PrefixFrom(prefix.Addr(), prefix.Bits()+1)
	bytes := prefix.Addr().As4()
	bytes[prefix.Bits()/8] |= 0x80 >> (prefix.Bits() % 8)
	high := netip.PrefixFrom(netip.AddrFrom4(bytes), prefix.Bits()+1)
	return append(cut(low, hole), cut(high, hole)...)
}
