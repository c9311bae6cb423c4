package reconcile

import (
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// figures are what a pass of the leader counts. They are not changed once they are shown.
type figures struct {
	pools        []poolFigure
	waiting      []waitingFigure
	services     map[serviceCondition]int
	speakersGone int
	// holders are how many addresses by layer 2 are held by how many nodes.
	holders map[string]int
	// reports are Speaker objects by what they are worth.
	reports map[string]int
	// passed is when the pass came to its end.
	passed time.Time
	// keyMade is when the key of the gossip was made; zero: not known.
	keyMade time.Time
}

// newFigures have a zero for each value of a label that there can be.
func newFigures() *figures {
	return &figures{
		services: map[serviceCondition]int{},
		holders:  map[string]int{heldByNone: 0, heldByOne: 0, heldByMore: 0, heldByUnknown: 0},
		reports:  map[string]int{reportCurrent: 0, reportSpeakerGone: 0, reportNodeDown: 0, reportOldNode: 0},
	}
}

// How many nodes hold an address.
const (
	heldByNone    = "0"
	heldByOne     = "1"
	heldByMore    = "2+"
	heldByUnknown = "unknown"
)

// What the report of a speaker is worth.
const (
	reportCurrent     = "current"
	reportSpeakerGone = "speaker_gone"
	reportNodeDown    = "node_down"
	reportOldNode     = "old_node"
)

// countHolders counts addresses by how many nodes hold them.
func (f *figures) countHolders(holdings cluster.Holdings, addresses []netip.Addr) {
	for _, addr := range addresses {
		switch holders, known := holdings.Of(addr); {
		case !known:
			f.holders[heldByUnknown]++
		case holders == 0:
			f.holders[heldByNone]++
		case holders == 1:
			f.holders[heldByOne]++
		default:
			f.holders[heldByMore]++
		}
	}
}

// countReports counts Speaker objects by what they are worth. One that another Node object of the name owns is older than its node.
func (f *figures) countReports(nodes []*lb.Node, speakers []*v1beta1.Speaker) {
	byName := make(map[string]*lb.Node, len(nodes))
	for _, node := range nodes {
		byName[node.Name] = node
	}
	for _, speaker := range speakers {
		node := byName[speaker.Name]
		other := func(o metav1.OwnerReference) bool { return o.Kind == "Node" && node != nil && o.UID != node.UID }
		switch {
		case node == nil, slices.ContainsFunc(speaker.OwnerReferences, other):
			f.reports[reportOldNode]++
		case node.Down:
			f.reports[reportNodeDown]++
		case lb.SpeakerGone(speaker):
			f.reports[reportSpeakerGone]++
		default:
			f.reports[reportCurrent]++
		}
	}
}

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

// countSettled counts the conditions that settled Services are to have, and the holders of their addresses.
func (f *figures) countSettled(settled *settled, holdings cluster.Holdings) {
	// order does not matter: each is counted for itself.
	for of, count := range settled.counts {
		if f.services[of] += count; f.services[of] == 0 {
			delete(f.services, of)
		}
	}
	for _, s := range settled.services {
		if s.as != nil {
			f.countHolders(holdings, s.as.onSegment)
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
	holdersDesc = prometheus.NewDesc("daymark_controller_layer2_addresses",
		"Addresses of announced Services that one node is to hold by layer 2, by how many nodes report that they hold it: 0, 1, 2+, or unknown, when those that may hold it hold more than they list, or are down. The leader alone says so.",
		[]string{"holders"}, nil)
	reportsDesc = prometheus.NewDesc("daymark_controller_speaker_reports",
		"Speaker objects by what their report is worth: current, speaker_gone, node_down, or old_node when it is older than its node, or its node does not exist. The leader alone says so.",
		[]string{"state"}, nil)
	lastLook = prometheus.NewDesc("daymark_controller_last_look_timestamp_seconds",
		"When a pass of the loop last had all that it needs to know of the cluster, in Unix time. A quiet cluster needs none. The leader alone says so.", nil, nil)
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
	for _, desc := range []*prometheus.Desc{leaderDesc, poolAddresses, poolWaiting, servicesDesc, speakersGone, holdersDesc, reportsDesc, lastLook, lastPass, keyMade} {
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
	if looked := c.metrics.looked.Load(); looked != nil {
		send(lastLook, unixSeconds(*looked))
	}
	if f == nil {
		return
	}
	send(speakersGone, float64(f.speakersGone))
	send(lastPass, unixSeconds(f.passed))
	if !f.keyMade.IsZero() {
		send(keyMade, unixSeconds(f.keyMade))
	}
	for holders, addresses := range f.holders {
		send(holdersDesc, float64(addresses), holders)
	}
	for state, reports := range f.reports {
		send(reportsDesc, float64(reports), state)
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
