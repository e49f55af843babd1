package expression

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"sitemon"
)

// maxOperands is how many parts of a condition are shown with their values.
const maxOperands = 6

// surveyed is what is read off an expression before it is compiled.
type surveyed struct {
	text     string
	names    map[string]bool
	uses     []string
	operands []string
	err      *Error
}

// survey parses an expression as it was written.
func survey(text string) (*surveyed, error) {
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, invalid(err)
	}
	s := &surveyed{text: text, names: names(), uses: nil}
	used := map[string]bool{}
	visit(tree.Node, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.IdentifierNode:
			if s.names[n.Value] {
				used[n.Value] = true
			}
			if strings.HasPrefix(n.Value, "__") || n.Value == "$env" { // which would hide what is read
				s.err = at(text, n, "unknown name "+n.Value)
			}
		case *ast.BinaryNode:
			if n.Operator == "matches" {
				s.pattern(n.Right)
			}
		}
	})
	if s.err != nil {
		return nil, s.err
	}
	s.uses = slices.Sorted(maps.Keys(used))
	s.collect(tree.Node)
	return s, nil
}

// pattern checks a regular expression.
func (s *surveyed) pattern(n ast.Node) {
	pattern, constant := n.(*ast.StringNode)
	if !constant {
		s.err = at(s.text, n, "the pattern after matches has to be written out, in quotes")
	} else if _, err := sitemon.CompilePattern(pattern.Value); err != nil {
		s.err = at(s.text, n, strings.TrimPrefix(err.Error(), sitemon.ErrInvalid.Error()+": "))
	}
}

// names are those of the environment.
func names() map[string]bool {
	all := map[string]bool{}
	for f := range reflect.TypeFor[Environment]().Fields() {
		all[f.Tag.Get("expr")] = true
	}
	return all
}

// collect gathers the parts of a condition that explain it: what is compared, and
// what functions are about.
func (s *surveyed) collect(n ast.Node) {
	switch n := n.(type) {
	case *ast.UnaryNode:
		s.collect(n.Node)
	case *ast.BinaryNode:
		s.collect(n.Left)
		s.collect(n.Right)
	case *ast.ConditionalNode:
		s.collect(n.Cond)
		s.collect(n.Exp1)
		s.collect(n.Exp2)
	case *ast.BuiltinNode:
		if n.Name == "len" || n.Name == "count" || n.Name == "sum" {
			s.operand(n)
		} else if len(n.Arguments) > 0 {
			s.collect(n.Arguments[0])
		}
	case *ast.CallNode:
		for _, arg := range n.Arguments {
			s.collect(arg)
		}
	case *ast.IdentifierNode, *ast.MemberNode, *ast.ChainNode, *ast.SliceNode:
		s.operand(n)
	}
}

// operand adds a part that reads something.
func (s *surveyed) operand(n ast.Node) {
	reads := false
	visit(n, func(n ast.Node) {
		id, is := n.(*ast.IdentifierNode)
		reads = reads || is && s.names[id.Value]
	})
	if text := n.String(); reads && len(s.operands) < maxOperands && !slices.Contains(s.operands, text) {
		s.operands = append(s.operands, text)
	}
}

// visitFunc is a visitor that changes nothing.
type visitFunc func(ast.Node)

// Visit implements [ast.Visitor].
func (f visitFunc) Visit(n *ast.Node) { f(*n) }

func visit(n ast.Node, f func(ast.Node)) { ast.Walk(&n, visitFunc(f)) }

// at is an error at a node.
func at(text string, n ast.Node, message string) *Error {
	fe := (&file.Error{Location: n.Location(), Message: message}).Bind(file.NewSource(text))
	return invalid(fe)
}

// guard puts the limits of a run into an expression.
type guard struct {
	patterns []sitemon.Pattern
	compiled map[string]int
	done     map[ast.Node]bool // functions whose texts count already
	err      *Error
}

// Visit implements [ast.Visitor]. It comes by several times, and finds its own work
// done then.
func (g *guard) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode:
		if _, done := n.Node.(*ast.SequenceNode); done {
			return
		}
		n.Node = &ast.SequenceNode{Nodes: []ast.Node{call("__tick"), n.Node}}
	case *ast.MemberNode:
		// Names of header fields may be written in any case.
		id, of := n.Node.(*ast.IdentifierNode)
		if name, is := n.Property.(*ast.StringNode); is && of && id.Value == "headers" {
			name.Value = strings.ToLower(name.Value)
		}
	case *ast.BuiltinNode:
		g.counted(node, n.Name)
	case *ast.CallNode:
		if id, is := n.Callee.(*ast.IdentifierNode); is {
			g.counted(node, id.Value)
		}
	case *ast.BinaryNode:
		if pattern, constant := n.Right.(*ast.StringNode); n.Operator == "matches" && constant {
			ast.Patch(node, call("__match", n.Left, &ast.IntegerNode{Value: g.pattern(pattern.Value)}))
		} else if n.Operator == "+" {
			sum(node, n)
		}
	}
}

// counted makes the text of a function count.
func (g *guard) counted(node *ast.Node, name string) {
	if !slices.Contains(madeTexts, name) || g.done[*node] {
		return
	}
	if g.done == nil {
		g.done = map[ast.Node]bool{}
	}
	g.done[*node] = true
	ast.Patch(node, call("__made", *node))
}

// sum makes the text of a sum count, where it is or may be one.
func sum(node *ast.Node, n *ast.BinaryNode) {
	text := func(n ast.Node) bool { return n.Type() != nil && n.Type().Kind() == reflect.String }
	unknown := func(n ast.Node) bool { return n.Type() == nil || n.Type().Kind() == reflect.Interface }
	switch {
	case text(n.Left) && text(n.Right):
		ast.Patch(node, call("__concat", n.Left, n.Right))
	case (text(n.Left) || unknown(n.Left)) && (text(n.Right) || unknown(n.Right)):
		ast.Patch(node, call("__add", n.Left, n.Right))
	}
}

func call(name string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
}

// pattern compiles a regular expression, once, and returns its number.
func (g *guard) pattern(text string) int {
	if i, ok := g.compiled[text]; ok {
		return i
	}
	p, err := sitemon.CompilePattern(text)
	if err != nil {
		g.err = &Error{1, 1, err.Error()} // never: it was checked
	}
	if g.compiled == nil {
		g.compiled = map[string]int{}
	}
	g.compiled[text] = len(g.patterns)
	g.patterns = append(g.patterns, p)
	return len(g.patterns) - 1
}
