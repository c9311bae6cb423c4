package migrate

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/cli/migrate/changeover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

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

// serviceSelectors: those by which MetalLB leaves out the Services that "migrate next" has handed over are not for Daymark, which serves
// them. A selector without requirements selects all Services, as no selectors do.
func (c *conversion) serviceSelectors(value any) {
	all, everything := []any{}, false
	list, _ := value.([]any)
	for _, item := range list {
		selector, _ := item.(map[string]any)
		selector = maps.Clone(selector)
		expressions, _ := selector["matchExpressions"].([]any)
		kept := slices.DeleteFunc(slices.Clone(expressions), func(e any) bool { return reflect.DeepEqual(e, changeover.LeftOut()) })
		if len(kept) < len(expressions) {
			c.remark("serviceSelectors", changeover.Label+" NotIn daymark is not carried over: it has MetalLB leave out what has changed over to Daymark")
			delete(selector, "matchExpressions")
			if len(kept) > 0 {
				selector["matchExpressions"] = kept
			}
			everything = everything || len(selector) == 0
		}
		all = append(all, selector)
	}
	if !everything {
		c.put("serviceSelectors", all)
	}
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
	c.secret(name, c.item.From, map[string]any{"type": "kubernetes.io/basic-auth", "stringData": map[string]any{"password": value}})
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
		c.secret(name, "Secret "+namespace+"/"+name, content)
		return
	}
	c.remark("passwordSecret", fmt.Sprintf("copy the Secret: kubectl get secret %s -n %s -o json | jq 'del(.metadata) + {metadata: {name: %q, namespace: %q}}' "+
		"| kubectl apply -f -", dnsName(name), dnsName(namespace), dnsName(name), c.system)) // names, whatever a stranger's file has
}

// secret is made once for all peers that name it.
func (c *conversion) secret(name, from string, content map[string]any) {
	before, made := c.made[name]
	if made && before != from {
		c.remark("passwordSecret", "its Secret is not carried over: "+before+" came first and has the same name; give this one another, and name that")
	}
	if made {
		return
	}
	c.made[name] = from
	object := unstructured.Unstructured{Object: content}
	object.SetAPIVersion("v1")
	object.SetKind("Secret")
	object.SetName(name)
	object.SetNamespace(c.system)
	c.result.Items = append(c.result.Items, Item{Object: object, From: from})
}
