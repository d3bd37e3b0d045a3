// Enforces NetworkPolicies on the one node of the test cluster, with iptables.
//
// All traffic of pods passes this node's forwarding or, to the API server and to
// DNS, its input. Every change of a pod, a namespace or a policy makes the rules
// anew, and one call of iptables-restore swaps them in.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if command := os.Getenv("CNI_COMMAND"); command != "" {
		runPlugin(command)
		return
	}
	kubeconfig := flag.String("kubeconfig", "", "how the API server is reached")
	health := flag.String("bind-address", "127.0.0.1:10258", "where /healthz says whether the rules are in place, and /pods takes pods that start")
	flag.Parse()
	log.Fatal(enforce(*kubeconfig, *health))
}

// enforce returns only when it can't go on.
func enforce(kubeconfig, health string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	// One signal stands for any number of changes.
	changed := make(chan struct{}, 1)
	signal := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { signal() },
		UpdateFunc: func(_, _ any) { signal() },
		DeleteFunc: func(any) { signal() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	failed := make(chan error, 1)
	var ready atomic.Bool
	coming := &arrivals{waiting: map[types.UID]*waiter{}}
	http.HandleFunc("/pods", coming.serve(signal))
	go func() { failed <- serve(health, &ready) }()
	stop := make(chan struct{})
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	signal()

	var table table
	for {
		select {
		case err := <-failed:
			return err
		case <-changed:
		}
		world, err := look(pods.Lister().List, namespaces.Lister().List, policies.Lister().List)
		if err != nil {
			return err
		}
		world.pods = coming.with(world.pods)
		if text := table.next(rules(world)); text != "" {
			if err := restore(text); err != nil {
				return err
			}
		}
		coming.done()
		ready.Store(true)
	}
}

type lister[T any] func(labels.Selector) ([]T, error)

func look(pods lister[*corev1.Pod], namespaces lister[*corev1.Namespace], policies lister[*networkingv1.NetworkPolicy]) (world, error) {
	w := world{namespaces: map[string]labels.Set{}}
	all, err := namespaces(labels.Everything())
	if err != nil {
		return w, err
	}
	for _, n := range all {
		w.namespaces[n.Name] = n.Labels
	}
	if w.pods, err = pods(labels.Everything()); err != nil {
		return w, err
	}
	w.policies, err = policies(labels.Everything())
	return w, err
}

func serve(address string, ready *atomic.Bool) error {
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "no rules yet", http.StatusServiceUnavailable)
		}
	})
	return http.ListenAndServe(address, nil)
}

func restore(text string) error {
	command := exec.Command("iptables-restore", "--noflush", "--wait")
	command.Stdin = strings.NewReader(text)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s\n%s", err, output, text)
	}
	return nil
}
