package main

import (
	"encoding/json"
	"net/http"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// arrivals are pods whose address isn't in their status yet.
type arrivals struct {
	mutex   sync.Mutex
	waiting map[types.UID]*waiter
}

type waiter struct {
	address string
	seen    bool
	ready   chan struct{}
}

// with gives pods that have just got an address that address. One that isn't known here yet goes on waiting; one that has
// been known and isn't any more is forgotten.
func (a *arrivals) with(pods []*corev1.Pod) []*corev1.Pod {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	known := map[types.UID]bool{}
	var all []*corev1.Pod
	for _, pod := range pods {
		known[pod.UID] = true
		if waiter := a.waiting[pod.UID]; waiter != nil {
			waiter.seen = true
			if pod.Status.PodIP != waiter.address {
				copied := *pod
				copied.Status.PodIP = waiter.address
				pod = &copied
			}
		}
		all = append(all, pod)
	}
	for uid, waiter := range a.waiting {
		if waiter.seen && !known[uid] {
			delete(a.waiting, uid)
		}
	}
	return all
}

// done lets those start that the rules in place know of.
func (a *arrivals) done() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for _, waiter := range a.waiting {
		if waiter.seen {
			select {
			case <-waiter.ready:
			default:
				close(waiter.ready)
			}
		}
	}
}

// add: a pod that gets another address, since its first sandbox was given up, starts over.
func (a *arrivals) add(pod arrival) <-chan struct{} {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	added := &waiter{address: pod.Address, ready: make(chan struct{})}
	a.waiting[types.UID(pod.UID)] = added
	return added.ready
}

// serve answers the plugin when the rules for its pod are in place.
func (a *arrivals) serve(signal func()) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var pod arrival
		if err := json.NewDecoder(r.Body).Decode(&pod); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ready := a.add(pod)
		signal()
		select {
		case <-ready:
		case <-r.Context().Done():
		}
	}
}
