package redact

import (
	"net/netip"
	"regexp"
	"strings"
)

// class of a text in an object.
type class int

const (
	// field may have a meaning of its own; names in it are replaced, and addresses.
	field class = iota
	// anyText is written for people.
	anyText
	name
	labelKey
	labelValue
	// annotationKey of an annotation that somebody reads.
	annotationKey
)

// walk visits all texts of an object, and puts what it is given in their place.
type walk struct {
	// visit a text; kind is what a name is a name of.
	visit func(c class, kind, text string) string
	// keeps says which annotations stay; nil: all.
	keeps func(key string) bool
}

func (w *walk) object(fields map[string]any) {
	kind, _ := fields["kind"].(string)
	if meta, ok := fields["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
		w.named(meta, kindOf(kind))
	}
	if spec, ok := fields["spec"].(map[string]any); ok && kind == "Node" {
		delete(spec, "providerID")
	}
	w.fields("", fields)
}

// named has a name and the namespace of it.
func (w *walk) named(fields map[string]any, kind string) {
	if text, ok := fields["name"].(string); ok {
		fields["name"] = w.visit(name, kind, text)
	}
}

// nameKeys are fields with names, and of what.
var nameKeys = map[string]string{
	"namespace": "namespace", "namespaces": "namespace", "nodeName": "node", "node": "node", "standsInFor": "node", "sharedBy": "node", "hostname": "host",
	"hostnames": "host", "externalName": "host", "zone": "zone", "ipAddressPools": "pool", "peers": "peer", "peer": "peer", "bfdProfile": "profile",
	"targetPort": "port", "serviceAccountName": "account", "serviceAccount": "account", "secretName": "secret", "vrf": "vrf", "claimName": "claim",
	"generateName": "object", "reportingInstance": "instance",
}

// references are fields that hold the name of an object, and of which kind, if they do not say so.
var references = map[string]string{
	"targetRef": "", "regarding": "", "related": "", "ownerReferences": "", "serviceRef": "service", "passwordSecret": "secret",
	"communities": "community", "imagePullSecrets": "secret", "ports": "port", "secretKeyRef": "secret", "secretRef": "secret",
	"configMapKeyRef": "configmap", "configMapRef": "configmap", "configMap": "configmap",
	"secret": "secret", "volumes": "volume", "volumeMounts": "volume",
}

// keysOf are references with a key of their object.
var keysOf = map[string]bool{"passwordSecret": true, "secretKeyRef": true, "configMapKeyRef": true}

// texts are fields for people.
var texts = map[string]bool{"message": true, "note": true, "lastError": true, "warning": true, "withdrawn": true, "fieldPath": true}

// verbatim are fields whose words are not names.
var verbatim = map[string]bool{"apiVersion": true, "kind": true, "uid": true, "resourceVersion": true, "operator": true}

func (w *walk) value(key string, value any) any {
	switch v := value.(type) {
	case map[string]any:
		w.inner(key, v)
	case []any:
		for i := range v {
			v[i] = w.value(key, v[i])
		}
	case string:
		return w.text(key, v)
	}
	return value
}

func (w *walk) inner(key string, fields map[string]any) {
	switch {
	case key == "annotations":
		w.annotations(fields)
		return
	case key == "labels" || key == "matchLabels" || key == "deprecatedTopology" || (key == "selector" || key == "nodeSelector") && allTexts(fields):
		w.labels(fields)
		return
	case key == "spec":
		delete(fields, "shutdownMessage") // what people write to people
	case key == "bgp":
		delete(fields, "digest") // of the addresses as they are
	case key == "matchExpressions" || key == "taints" || key == "tolerations":
		w.requirement(fields)
	case keysOf[key]:
		if text, ok := fields["key"].(string); ok {
			fields["key"] = w.visit(name, "key", text)
		}
	}
	if kind, is := references[key]; is {
		if said, ok := fields["kind"].(string); ok && kind == "" {
			kind = kindOf(said)
			if version, _ := fields["apiVersion"].(string); ofSomebody(version) {
				kind = "owner"
			}
		}
		w.named(fields, kind)
	}
	if key == "ownerReferences" {
		w.owner(fields)
	}
	w.fields(key, fields)
}

// ofSomebody says whether a version is of kinds that Kubernetes and Daymark have not.
func ofSomebody(version string) bool {
	group, _, _ := strings.Cut(version, "/")
	return strings.Contains(group, ".") && !wellKnown(group)
}

// owner of an object: a kind that somebody has defined says who it is.
func (w *walk) owner(fields map[string]any) {
	version, _ := fields["apiVersion"].(string)
	kind, _ := fields["kind"].(string)
	if !ofSomebody(version) {
		return
	}
	fields["apiVersion"] = w.visit(labelKey, "", version)
	fields["kind"] = w.visit(name, "kind", kind)
}

// done are the fields that were visited before the others.
func done(parent, key string) bool {
	_, reference := references[parent]
	switch key {
	case "name":
		return reference || parent == "metadata"
	case "key", "values", "value":
		return keysOf[parent] && key == "key" || parent == "matchExpressions" || parent == "taints" || parent == "tolerations"
	}
	return false
}

func (w *walk) fields(parent string, fields map[string]any) {
	for key, value := range fields {
		if !verbatim[key] && !done(parent, key) {
			fields[key] = w.value(key, value)
		}
	}
}

func (w *walk) text(key, text string) string {
	kind, isName := nameKeys[key]
	switch {
	case isName:
		return w.visit(name, kind, text)
	case key == "communities" && !strings.Contains(text, ":"):
		return w.visit(name, "community", text)
	case key == "address" && !isAddress(text):
		return w.visit(name, "host", text)
	case key == "holderIdentity": // the name of a host, and what tells two programs there apart
		host, _, _ := strings.Cut(text, "_")
		return w.visit(name, "host", host) + w.visit(field, "", text[len(host):])
	case key == "nodeAnnotation":
		return w.visit(annotationKey, "", text)
	case key == "finalizers" || key == "appProtocol" && strings.Contains(text, "/"):
		return w.visit(labelKey, "", text)
	case key == "image" || key == "imageID":
		return w.image(text)
	case key == "args" || key == "command":
		flag, value, has := strings.Cut(text, "=")
		if !has {
			return text
		}
		return flag + "=" + w.visit(field, "", value)
	case texts[key]:
		return w.visit(anyText, "", text)
	}
	return w.visit(field, "", text)
}

// image without its registry, which tells who it is. Texts, such as those of the kubelet, may have it as well.
func (w *walk) image(text string) string {
	for _, part := range registry(text) {
		w.visit(name, "registry", part)
	}
	return text[strings.LastIndex(text, "/")+1:]
}

// registry of an image: its host, and the folders there.
func registry(image string) (parts []string) {
	folders := image[:max(0, strings.LastIndex(image, "/"))]
	if _, after, has := strings.Cut(folders, "://"); has { // of an imageID
		folders = after
	}
	for part := range strings.SplitSeq(folders, "/") {
		host, _, _ := strings.Cut(part, ":") // a port may follow
		parts = append(parts, host)
	}
	return parts
}

// imageNamed in a text: of the kubelet and of containerd, which quote it, as do those who quote them.
var imageNamed = regexp.MustCompile(`(?:[Ii]mage|reference) \\*"([^"\\\s]+)`)

func isAddress(text string) bool {
	address, _, _ := strings.Cut(text, "/")
	_, err := netip.ParseAddr(address)
	return err == nil
}

func allTexts(fields map[string]any) bool {
	for _, value := range fields {
		if _, ok := value.(string); !ok {
			return false
		}
	}
	return true
}

func (w *walk) labels(labels map[string]any) {
	all := map[string]any{}
	for key, value := range labels {
		text, _ := value.(string)
		all[w.visit(labelKey, "", key)] = w.visit(labelValue, "", text)
		delete(labels, key)
	}
	for key, value := range all {
		labels[key] = value
	}
}

func (w *walk) annotations(annotations map[string]any) {
	all := map[string]any{}
	for key, value := range annotations {
		delete(annotations, key)
		text, _ := value.(string)
		if w.keeps == nil || w.keeps(key) {
			all[w.replacedKey(key)] = w.annotation(key, text)
		}
	}
	for key, value := range all {
		annotations[key] = value
	}
}

// namesIn annotations of providers, and of what.
var namesIn = map[string]string{
	"address-pool": "pool", "pool": "pool", "ip-allocated-from-pool": "pool", "allow-shared-ip-namespaces": "namespace",
}

// annotation is the value of one: names in a list, one word that somebody has thought of, or else anything.
func (w *walk) annotation(key, text string) string {
	_, of, _ := strings.Cut(key, "/")
	kind, names := namesIn[of]
	switch {
	case !ofProvider(key):
	case of == "allow-shared-ip":
		return w.visit(labelValue, "", text)
	case names:
		list := strings.Split(text, ",")
		for i, one := range list {
			list[i] = w.visit(name, kind, strings.TrimSpace(one))
		}
		return strings.Join(list, ",")
	}
	return w.visit(field, "", text)
}

// replacedKey of an annotation. To see one is no reason to keep it.
func (w *walk) replacedKey(key string) string {
	if w.keeps == nil {
		return key
	}
	return w.visit(labelKey, "", key)
}

// requirement of a selector, or a taint: a key and its values.
func (w *walk) requirement(fields map[string]any) {
	if key, ok := fields["key"].(string); ok {
		fields["key"] = w.visit(labelKey, "", key)
	}
	if value, ok := fields["value"].(string); ok {
		fields["value"] = w.visit(labelValue, "", value)
	}
	values, _ := fields["values"].([]any)
	for i := range values {
		if text, ok := values[i].(string); ok {
			values[i] = w.visit(labelValue, "", text)
		}
	}
}
