package lb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Alias is a name for a community.
type Alias struct {
	Value Community
	// Object is the name of the Community object that gives the name.
	Object string
}

// Aliases are the communities by the names that Community objects give them.
type Aliases map[string]Alias

// NewAliases reads Community objects. Of several that give one name different values that counts which has it in its status, so that a name that is
// added to an object changes no route, and else the oldest. What is wrong with an object is an error, by its name, with a line for each of its
// names that does not count; the others do.
func NewAliases(objects []*v1beta1.Community) (Aliases, map[string]error) {
	aliases, problems := Aliases{}, make(map[string]error, len(objects))
	sorted := slices.SortedFunc(slices.Values(objects), compareCommunityObjects)
	for _, object := range sorted {
		for _, alias := range object.Spec.Communities {
			if slices.Contains(object.Status.Names, alias.Name) {
				_ = aliases.add(object.Name, alias) // said below
			}
		}
	}
	for _, object := range sorted {
		var errs []error
		for _, alias := range object.Spec.Communities {
			errs = append(errs, aliases.add(object.Name, alias))
		}
		problems[object.Name] = errors.Join(errs...)
	}
	return aliases, problems
}

// Of are the names that an object gives, sorted.
func (a Aliases) Of(object string) (names []string) {
	for name, alias := range a {
		if alias.Object == object {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// compareCommunityObjects orders Community objects, the older first.
func compareCommunityObjects(a, b *v1beta1.Community) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
}

func (a Aliases) add(object string, alias v1beta1.CommunityAlias) error {
	value, err := ParseCommunity(alias.Value)
	known, taken := a[alias.Name]
	reserved, isReserved := wellKnown[strings.ReplaceAll(strings.ToLower(alias.Name), "_", "-")] // as others spell it: local-AS, no_export
	switch {
	case err != nil:
		return fmt.Errorf("communities: %s: %w", alias.Name, err)
	case isReserved && reserved != value:
		return fmt.Errorf("communities: %s is a well-known community and always stands for %s: give %s another name", alias.Name, reserved, value)
	case taken && known.Value != value:
		return fmt.Errorf("communities: %s stands for %s: Community %s gave it that name first", alias.Name, known.Value, known.Object)
	case !taken:
		a[alias.Name] = Alias{value, object}
	}
	return nil
}

// resolve returns the community that a text stands for. The error names the text, and what may be meant.
func (a Aliases) resolve(text string) (Community, error) {
	value, err := ParseCommunity(text)
	if err == nil {
		return value, nil
	}
	if alias, found := a[text]; found {
		return alias.Value, nil
	}
	if strings.Contains(text, ":") || text == "" || !isLetter(text[0]) {
		return Community{}, err
	}
	names := append(slices.Sorted(maps.Keys(wellKnown)), slices.Sorted(maps.Keys(a))...)
	if near := Nearest(text, names); near != "" {
		return Community{}, fmt.Errorf("%s is no community: did you mean %s?", quoteUnlessName(text), near)
	}
	return Community{}, fmt.Errorf("%s is no community: it is not well-known, and no Community object has this name", quoteUnlessName(text))
}

// quoteUnlessName quotes a text that is not a word.
func quoteUnlessName(text string) string {
	if len(text) > maxQuoted || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return quote(text)
	}
	return text
}
