compiler: str
x86_level: int

def supported_isas() -> list[str]: ...
