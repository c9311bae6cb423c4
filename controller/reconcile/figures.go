package reconcile

import (
	"math/big"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// figures are what a pass of the leader counts. They are not changed once they are shown.
type figures struct {
	pools        []poolFigure
	waiting      []waitingFigure
	services     map[serviceCondition]int
	speakersGone int
	// passed is when the pass came to its end.
	passed time.Time
	// keyMade is when the key of the gossip was made; zero: not known.
	keyMade time.Time
}

func newFigures() *figures { return &figures{services: map[serviceCondition]int{}} }

// poolFigure is how many addresses a pool has of one family in one state.
type poolFigure struct {
	pool, family, state string
	addresses           float64
}

// waitingFigure is how many Services wait because a pool has no address of a family left.
type waitingFigure struct {
	pool, family string
	services     float64
}

// serviceCondition is a condition of a Service without its message. There are as many as there are reasons in
// docs/reference/conditions-and-reasons.md, however many Services there are.
type serviceCondition struct {
	kind, reason string
	status       metav1.ConditionStatus
}

// countService counts the conditions that a Service is to have.
func (f *figures) countService(conditions []metav1.Condition) {
	countConditions(f.services, conditions, 1)
}

// countSettled counts the conditions that settled Services are to have.
func (f *figures) countSettled(counts map[serviceCondition]int) {
	// order does not matter: each is counted for itself.
	for of, count := range counts {
		if f.services[of] += count; f.services[of] == 0 {
			delete(f.services, of)
		}
	}
}

// countConditions adds the conditions of a Service to counts, or takes them away.
func countConditions(counts map[serviceCondition]int, conditions []metav1.Condition, sign int) {
	for i := range conditions {
		c := &conditions[i]
		if c.Type == v1beta1.ConditionAddressAssigned || c.Type == v1beta1.ConditionAnnounced {
			counts[serviceCondition{c.Type, c.Reason, c.Status}] += sign
		}
	}
}

// countPools counts the addresses of the pools, and who waits for one.
func (f *figures) countPools(pools []*ipam.PoolUse) {
	for _, use := range pools {
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if count := use.Count(family); count != nil {
				available, _ := new(big.Float).SetInt(count.Available).Float64()
				f.pools = append(f.pools,
					poolFigure{use.Pool.Name, family.String(), "assigned", float64(count.Assigned)},
					poolFigure{use.Pool.Name, family.String(), "available", available})
				f.waiting = append(f.waiting, waitingFigure{use.Pool.Name, family.String(), float64(count.Waiting)})
			}
		}
	}
}

// readKey notes when the key of the gossip was made.
func (f *figures) readKey(secrets []*corev1.Secret) {
	for _, secret := range secrets {
		if secret.Name == v1beta1.GossipSecret {
			f.keyMade = secret.CreationTimestamp.Time
		}
	}
}

var (
	leaderDesc    = prometheus.NewDesc("daymark_controller_leader", "Whether this controller leads. Of two replicas one does.", nil, nil)
	poolAddresses = prometheus.NewDesc("daymark_pool_addresses",
		"Addresses of a pool by state: assigned to Services, or available to Services that ask now. The leader alone says so.",
		[]string{"pool", "family", "state"}, nil)
	poolWaiting = prometheus.NewDesc("daymark_pool_services_waiting",
		"Services that wait for an address because the pool, which serves them, has none left, nor has another. The leader alone says so.",
		[]string{"pool", "family"}, nil)
	servicesDesc = prometheus.NewDesc("daymark_controller_services",
		"Services that Daymark serves by their conditions AddressAssigned and Announced, with status and reason. The leader alone says so.",
		[]string{"condition", "status", "reason"}, nil)
	speakersGone = prometheus.NewDesc("daymark_controller_speakers_gone",
		"Speakers that are gone though their node is ready: what their Speaker objects report is old. The leader alone says so.", nil, nil)
	lastPass = prometheus.NewDesc("daymark_controller_last_pass_timestamp_seconds",
		"When a pass of the loop last came to its end without an error, in Unix time. A quiet cluster needs none. The leader alone says so.", nil, nil)
	keyMade = prometheus.NewDesc("daymark_controller_gossip_key_created_timestamp_seconds",
		"When the Secret with the key of the gossip was made, in Unix time. The leader alone says so.", nil, nil)
)

// figuresCollector makes metrics of the newest figures while this process leads. Of one that does not lead, or whose first pass
// has not ended, there are none: what it knew last is not true any more.
type figuresCollector struct {
	metrics *metrics
	leads   func() bool
}

// Describe implements prometheus.Collector.
func (c figuresCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{leaderDesc, poolAddresses, poolWaiting, servicesDesc, speakersGone, lastPass, keyMade} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (c figuresCollector) Collect(metrics chan<- prometheus.Metric) {
	send := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	f, leads := c.metrics.figures.Load(), c.leads()
	if !leads {
		send(leaderDesc, 0)
		return
	}
	send(leaderDesc, 1)
	if f == nil {
		return
	}
	send(speakersGone, float64(f.speakersGone))
	send(lastPass, unixSeconds(f.passed))
	if !f.keyMade.IsZero() {
		send(keyMade, unixSeconds(f.keyMade))
	}
	for _, p := range f.pools {
		send(poolAddresses, p.addresses, p.pool, p.family, p.state)
	}
	for _, p := range f.waiting {
		send(poolWaiting, p.services, p.pool, p.family)
	}
	for of, count := range f.services {
		kind := strings.TrimPrefix(of.kind, v1beta1.GroupVersion.Group+"/")
		send(servicesDesc, float64(count), kind, string(of.status), of.reason)
	}
}

// unixSeconds is a time as metrics have it.
func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
