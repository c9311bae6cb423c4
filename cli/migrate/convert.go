package migrate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// set is the objects that are converted together.
type set struct {
	system string
	result *Result
	// seen has what an object of a kind and name was made of.
	seen map[string]*unstructured.Unstructured
	// made has the Secrets that were made, by name, with what they were made of.
	made map[string]string
	// inline has the values of communities whose names Daymark does not accept.
	inline map[string]string
	// secrets that were read, by namespace and name.
	secrets map[string]*unstructured.Unstructured
}

// conversion of one object.
type conversion struct {
	*set
	from *unstructured.Unstructured
	item Item
	spec map[string]any
}

// row of the table of a kind: what becomes of a field.
type row struct {
	// field below the spec. What is below it is handled with it.
	field string
	// becomes is the field of ours, or the reason why there is none.
	becomes string
	do      func(c *conversion, value any)
}

// to carries a value over as it is.
func to(field, ours string) row {
	return row{field, "`" + ours + "`", func(c *conversion, value any) { c.put(ours, value) }}
}

// list is a field whose values stand there once each.
func list(field string) row {
	return row{field, "`" + field + "`", func(c *conversion, value any) {
		if _, is := value.([]any); !is {
			c.put(field, value) // What is wrong with it is said where the result is checked.
			return
		}
		c.putTexts(field, texts(value))
	}}
}

// same field, same meaning.
func same(field string) row { return to(field, field) }

// dropped is a field that is not carried over.
func dropped(field, why string) row {
	return row{field, why, func(c *conversion, value any) {
		if value != false {
			c.remark(field, "not carried over: "+why)
		}
	}}
}

// put a value into the spec of the object that is made.
func (c *conversion) put(path string, value any) {
	// The map has maps and values of JSON only, and no value stands where a map is to be.
	_ = unstructured.SetNestedField(c.spec, value, strings.Split(path, ".")...)
}

func (c *conversion) remark(field, text string) {
	if field != "" {
		field = "spec." + field
	}
	c.item.Remarks = append(c.item.Remarks, Remark{c.item.From, field, text})
}

func (s *set) remark(object, text string) {
	s.result.Remarks = append(s.result.Remarks, Remark{Object: object, Text: text})
}

// describe an object as remarks do.
func describe(object *unstructured.Unstructured) string {
	if origin := object.GetAnnotations()[originAnnotation]; origin != "" {
		return origin
	}
	name := object.GetName()
	if namespace := object.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
	}
	return object.GetKind() + " " + name
}

// note what other objects need to know of one.
func (s *set) note(object *unstructured.Unstructured) {
	switch {
	case object.GroupVersionKind().Group == "" && object.GetKind() == "Secret":
		s.secrets[object.GetNamespace()+"/"+object.GetName()] = object
	case ours(object) && object.GetKind() == "Community":
		for _, alias := range aliases(object.Object["spec"]) {
			if !accepted(alias) {
				s.inline[alias.name] = alias.value
			}
		}
	}
}

// ours says whether an object is of MetalLB's group.
func ours(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().Group == "metallb.io"
}

// byMetalLB reports whether MetalLB has made an object of other objects: the configuration of a node for frr-k8s.
func byMetalLB(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().Group == frrConfigurations.Group && strings.HasPrefix(object.GetName(), "metallb-")
}

// convert one object of MetalLB.
func (s *set) convert(object *unstructured.Unstructured) {
	rows, known := tables[object.GetKind()]
	switch {
	case byMetalLB(object):
		return
	case !ours(object):
		if why, others := elsewhere[object.GroupVersionKind().Group]; others {
			s.remark(describe(object), why)
		}
		return
	case slices.Contains(statusOnly, object.GetKind()):
		return
	case !known:
		s.remark(describe(object), "not carried over: the kind is not known")
		return
	}
	c := s.begin(object)
	if before, twice := s.seen[c.key()]; twice {
		s.twice(before, object)
		return
	}
	s.seen[c.key()] = object
	spec, _ := object.Object["spec"].(map[string]any)
	c.walk(rows, "", spec)
	if finish := finishes[object.GetKind()]; finish != nil && !finish(c) {
		s.result.Remarks = append(s.result.Remarks, c.item.Remarks...)
		return
	}
	if len(c.spec) > 0 {
		c.item.Object.Object["spec"] = c.spec
	}
	s.result.Items = append(s.result.Items, c.item)
}

// twice says that an object of the same name came before, unless it is the same one, in another version as well.
func (s *set) twice(before, object *unstructured.Unstructured) {
	sameObject := object.GetUID() != "" && object.GetUID() == before.GetUID()
	if sameObject || equality.Semantic.DeepEqual(before.Object["spec"], object.Object["spec"]) && describe(before) == describe(object) {
		return
	}
	s.remark(describe(object), "not carried over: "+describe(before)+" came first and has the same name; Daymark's objects have no namespace")
}

func (c *conversion) key() string { return c.item.Object.GetKind() + "/" + c.item.Object.GetName() }

func (s *set) begin(object *unstructured.Unstructured) *conversion {
	c := &conversion{set: s, from: object, spec: map[string]any{}}
	c.item.From = describe(object)
	c.item.Object.SetUnstructuredContent(map[string]any{})
	c.item.Object.SetAPIVersion(v1beta1.GroupVersion.String())
	c.item.Object.SetKind(object.GetKind())
	c.item.Object.SetName(dnsName(object.GetName()))
	if c.item.Object.GetName() != object.GetName() {
		c.remark("", "is called "+c.item.Object.GetName()+" now: the API server does not accept the name "+object.GetName())
	}
	if labels := object.GetLabels(); len(labels) > 0 && object.GetKind() == "IPAddressPool" { // advertisements select pools by them
		c.item.Object.SetLabels(labels)
	}
	return c
}

// walk the fields of a spec in order, and do what the table says of each.
func (c *conversion) walk(rows []row, path string, fields map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		field, value := path+key, fields[key]
		if empty(value) {
			continue
		}
		if i := slices.IndexFunc(rows, func(r row) bool { return r.field == field && r.do != nil }); i >= 0 {
			rows[i].do(c, value)
			continue
		}
		if below, isMap := value.(map[string]any); isMap && begins(rows, field+".") {
			c.walk(rows, field+".", below)
			continue
		}
		c.remark(field, "not carried over: the field is not known")
	}
}

func begins(rows []row, prefix string) bool {
	return slices.ContainsFunc(rows, func(r row) bool { return strings.HasPrefix(r.field, prefix) })
}

// empty values mean the default in all of MetalLB's fields. That of a boolean is looked at.
func empty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case int64:
		return value == 0
	case float64:
		return value == 0
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}

// dnsName makes a name that the API server accepts of one that a ConfigMap may have.
func dnsName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return cmp.Or(strings.Trim(name, "-."), "unnamed")
}
