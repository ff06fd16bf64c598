"""The edge towards HTTP: headers, deadlines, bodies, answers, streams."""
