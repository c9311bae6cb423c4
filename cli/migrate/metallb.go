package migrate

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// statusOnly are the kinds that only programs write.
var statusOnly = []string{"ConfigurationState", "ServiceL2Status", "ServiceBGPStatus"}

// elsewhere says of other groups of objects why they are not carried over.
var elsewhere = map[string]string{
	"frrk8s.metallb.io": "not carried over: Daymark has its own BGP and takes no configuration of FRR. Sessions of it belong into a BGPPeer",
}

// tables say of each kind what becomes of each field of its spec.
var tables = map[string][]row{
	"IPAddressPool": {
		{"addresses", "`addresses`", (*conversion).addresses},
		same("autoAssign"),
		same("avoidBuggyIPs"),
		{"serviceAllocation.priority", "`serviceAllocation.priority`, between 0 and 1000000", (*conversion).priority},
		same("serviceAllocation.namespaces"),
		same("serviceAllocation.namespaceSelectors"),
		same("serviceAllocation.serviceSelectors"),
	},
	"L2Advertisement": {
		same("ipAddressPools"),
		same("ipAddressPoolSelectors"),
		same("nodeSelectors"),
		same("interfaces"),
		same("serviceSelectors"),
		{"preferredNodeSelectors", "`preferredNodeSelectors`", (*conversion).preferred},
		{"preferredNodeSelectors[].weight", "`preferredNodeSelectors[].weight`", nil},
		{"preferredNodeSelectors[].preference", "`preferredNodeSelectors[].selector`", nil},
	},
	"BGPAdvertisement": {
		same("aggregationLength"),
		same("aggregationLengthV6"),
		same("localPref"),
		{"communities", "`communities`; a name that Daymark does not accept is replaced by its value", (*conversion).communities},
		same("ipAddressPools"),
		same("ipAddressPoolSelectors"),
		same("nodeSelectors"),
		same("peers"),
		same("serviceSelectors"),
	},
	"BGPPeer": {
		same("myASN"),
		same("peerASN"),
		same("dynamicASN"),
		{"localASN", "`localASN`", saying("localASN", "MetalLB drops it in the mode frr-k8s; from now on the router is shown this number")},
		same("peerAddress"),
		same("interface"),
		{"sourceAddress", "`sourceAddress`", saying("sourceAddress", "MetalLB drops it in the mode frr-k8s; from now on it counts. "+
			"It can be that of one node only: for several nodes use sourceFrom")},
		same("peerPort"),
		{"holdTime", "`holdTime`, of at least 3s", (*conversion).holdTime},
		{"keepaliveTime", "`keepaliveTime`, of at least 1s; without `holdTime`, that is three times as long", (*conversion).keepaliveTime},
		same("connectTime"),
		{"routerID", "`routerID`", saying("routerID", "it must differ between nodes: for several nodes leave it away, or use routerIDFrom")},
		same("nodeSelectors"),
		{"password", "a Secret, and `passwordSecret`", (*conversion).password},
		{"passwordSecret", "`passwordSecret`; the Secret must be in Daymark's namespace", (*conversion).passwordSecret},
		{"passwordSecret.name", "`passwordSecret.name`", nil},
		{"passwordSecret.namespace", "Secrets are read in Daymark's namespace only", nil},
		same("bfdProfile"),
		{"enableGracefulRestart", "`gracefulRestart.enabled`, with the `restartTime` of FRR, 120s", (*conversion).gracefulRestart},
		same("ebgpMultiHop"),
		same("vrf"),
		dropped("disableMP", "the families of a session are in addressFamilies; MetalLB does not heed the field either"),
		{"dualStackAddressFamily", "`addressFamilies`: both", (*conversion).bothFamilies},
	},
	"BFDProfile": {
		same("receiveInterval"),
		same("transmitInterval"),
		same("detectMultiplier"),
		dropped("echoInterval", "Daymark does not send echo packets"),
		dropped("echoMode", "Daymark does not send echo packets; the intervals of the control packets find a failure as fast"),
		same("passiveMode"),
		to("minimumTtl", "minimumTTL"),
	},
	"Community": {
		{"communities", "`communities`", (*conversion).aliases},
		{"communities[].name", "`communities[].name`, if Daymark accepts it", nil},
		{"communities[].value", "`communities[].value`", nil},
	},
}

// finishes say what a kind needs when all of its fields were looked at, and whether there is an object at all.
var finishes = map[string]func(*conversion) bool{
	"BGPPeer": (*conversion).timers,
	"Community": func(c *conversion) bool {
		if len(c.spec) == 0 {
			c.remark("", "no object is made: it has no names that Daymark needs")
		}
		return len(c.spec) > 0
	},
}

// saying carries a value over and remarks on it.
func saying(field, text string) func(*conversion, any) {
	return func(c *conversion, value any) {
		c.put(field, value)
		c.remark(field, text)
	}
}

func texts(value any) (all []string) {
	list, _ := value.([]any)
	for _, item := range list {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

// putTexts drops what stands there twice: a set must not have it.
func (c *conversion) putTexts(field string, all []string) {
	var list []any
	for _, text := range all {
		if !slices.Contains(list, any(text)) {
			list = append(list, text)
		}
	}
	c.put(field, list)
}

// addresses: MetalLB takes a prefix with bits of a host for its network.
func (c *conversion) addresses(value any) {
	all := texts(value)
	for i, text := range all {
		if prefix, err := netip.ParsePrefix(strings.TrimSpace(text)); err == nil && prefix.Masked() != prefix {
			all[i] = prefix.Masked().String()
			c.remark("addresses", text+" is "+all[i]+", written without the bits of a host")
		}
	}
	c.putTexts("addresses", all)
}

const maxPriority = 1_000_000

func (c *conversion) priority(value any) {
	number, _ := value.(int64)
	within := max(0, min(number, maxPriority))
	if within != number {
		c.remark("serviceAllocation.priority", fmt.Sprintf("%d is %d now: the numbers go from 1, which is tried first, to %d", number, within, maxPriority))
	}
	c.put("serviceAllocation.priority", within)
}

func (c *conversion) preferred(value any) {
	list, _ := value.([]any)
	var all []any
	for _, item := range list {
		from, _ := item.(map[string]any)
		selector, _ := from["preference"].(map[string]any)
		if selector == nil {
			selector = map[string]any{}
		}
		all = append(all, map[string]any{"weight": from["weight"], "selector": selector})
	}
	c.put("preferredNodeSelectors", all)
}

func (c *conversion) communities(value any) {
	all := texts(value)
	for i, name := range all {
		if community, named := c.inline[name]; named {
			all[i] = community
			c.remark("communities", name+" is written as "+community+": Daymark does not accept the name")
		}
	}
	c.putTexts("communities", all)
}

// alias is a name of a community.
type alias struct{ name, value string }

func aliases(spec any) (all []alias) {
	fields, _ := spec.(map[string]any)
	list, _ := fields["communities"].([]any)
	for _, item := range list {
		one, _ := item.(map[string]any)
		all = append(all, alias{fmt.Sprint(one["name"]), fmt.Sprint(one["value"])})
	}
	return all
}

// aliasName is what Daymark accepts as the name of a community.
var aliasName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

// accepted says whether Daymark accepts a name for a value: that of a well-known community cannot have another one.
func accepted(a alias) bool {
	known, err := lb.ParseCommunity(a.name)
	value, valueErr := lb.ParseCommunity(a.value)
	return aliasName.MatchString(a.name) && (err != nil || valueErr == nil && known == value)
}

func (c *conversion) aliases(value any) {
	var kept []any
	for _, one := range aliases(map[string]any{"communities": value}) {
		if !accepted(one) {
			c.remark("communities", one.name+" is left out, and BGPAdvertisements have its value "+one.value+": Daymark does not accept the name")
			continue
		}
		kept = append(kept, map[string]any{"name": one.name, "value": one.value})
	}
	if len(kept) > 0 {
		c.put("communities", kept)
	}
}

func (c *conversion) holdTime(value any) {
	duration, err := time.ParseDuration(fmt.Sprint(value))
	if err == nil && duration == 0 {
		c.remark("holdTime", "not carried over: a session without a hold time never notices a dead router; it is 90s now")
		return
	}
	c.put("holdTime", value)
}

func (c *conversion) keepaliveTime(value any) {
	duration, err := time.ParseDuration(fmt.Sprint(value))
	if err == nil && duration > 0 && duration < time.Second {
		c.remark("keepaliveTime", fmt.Sprint(value)+" is 1s now, which is the shortest")
		value = "1s"
	}
	c.put("keepaliveTime", value)
}

// timers: MetalLB makes the hold time of the other if that is alone, and offers no graceful restart unless it is told to.
func (c *conversion) timers() bool {
	spec, _ := c.from.Object["spec"].(map[string]any)
	if keepalive, err := time.ParseDuration(fmt.Sprint(c.spec["keepaliveTime"])); err == nil && empty(spec["holdTime"]) && keepalive > 0 {
		c.put("holdTime", (3 * keepalive).String())
	}
	if spec["enableGracefulRestart"] != true {
		c.put("gracefulRestart.enabled", false)
		c.remark("enableGracefulRestart", "false, as before. Daymark's default is true: leave gracefulRestart away if the router may keep "+
			"the routes while a speaker restarts")
	}
	return true
}

func (c *conversion) gracefulRestart(value any) {
	if value == true {
		c.put("gracefulRestart", map[string]any{"enabled": true, "restartTime": "120s"})
	}
}

func (c *conversion) bothFamilies(value any) {
	if value == true {
		c.put("addressFamilies", []any{"IPv4", "IPv6"})
	}
}

// password becomes a Secret of its own: Daymark has none in its objects.
func (c *conversion) password(value any) {
	name := c.item.Object.GetName() + "-password"
	c.put("passwordSecret.name", name)
	c.remark("password", "it is in the Secret "+name+" in namespace "+c.system+" now")
	c.secret(name, map[string]any{"type": "kubernetes.io/basic-auth", "stringData": map[string]any{"password": value}})
}

// passwordSecret: MetalLB's Secret is in its namespace, and its key is always password.
func (c *conversion) passwordSecret(value any) {
	reference, _ := value.(map[string]any)
	name, _ := reference["name"].(string)
	namespace, _ := reference["namespace"].(string)
	if namespace == "" {
		namespace = c.from.GetNamespace()
	}
	if name == "" {
		return // MetalLB has none then
	}
	c.put("passwordSecret.name", name)
	if known := c.secrets[namespace+"/"+name]; known != nil {
		content := map[string]any{}
		for _, key := range []string{"type", "data", "stringData"} {
			if known.Object[key] != nil {
				content[key] = known.Object[key]
			}
		}
		c.secret(name, content)
		return
	}
	c.remark("passwordSecret", fmt.Sprintf("copy the Secret: kubectl get secret %s -n %s -o json | jq 'del(.metadata) + {metadata: {name: %q, namespace: %q}}' "+
		"| kubectl apply -f -", name, namespace, name, c.system))
}

func (c *conversion) secret(name string, content map[string]any) {
	key := "Secret/" + name
	if _, made := c.seen[key]; made {
		return // of another peer with the same reference
	}
	c.seen[key] = c.item.From
	object := unstructured.Unstructured{Object: content}
	object.SetAPIVersion("v1")
	object.SetKind("Secret")
	object.SetName(name)
	object.SetNamespace(c.system)
	c.result.Items = append(c.result.Items, Item{Object: object, From: c.item.From})
}
