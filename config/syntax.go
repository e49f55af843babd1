package config

func syntaxFault(content []byte, err error) (offset int, message string) { return 0, err.Error() }
